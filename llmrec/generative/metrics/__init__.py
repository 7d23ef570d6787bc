"""How good are words and turns? BLEU-4 and ROUGE-L, the feedback simulator, the blind rating sheet."""
