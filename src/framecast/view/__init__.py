"""The web application: forecasts in a browser, served to this machine alone unless asked otherwise."""
