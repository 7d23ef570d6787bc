"""Which models score items by id alone? Popularity and SASRec behind one protocol, and their evaluation."""
