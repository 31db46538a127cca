"""The web application: forecasts in a browser, served only to this machine by default."""
