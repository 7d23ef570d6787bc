"""Which models score items by id alone? SASRec, GRU4Rec, BERT4Rec, item-kNN and Popularity behind one protocol."""
