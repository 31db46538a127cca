"""What a forecast looks like: charts, films and the report page."""
