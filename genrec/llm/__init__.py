"""Language models behind one door: text encoders, backbones and the assets they come from."""
