"""What belongs to one kind of data, behind one object each (see `framecast.domains.domain`)."""
