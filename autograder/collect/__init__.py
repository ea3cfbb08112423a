"""What a learning platform or git delivers, read as data, into `submitted/<student>/<unit>/*.py`."""
