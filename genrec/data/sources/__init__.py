"""Where do interactions come from? One module per kind of source, each returning `RawData`."""
