"""How near are written reasons to references? BLEU-4 by sacrebleu, ROUGE-L by rouge-score, both in percent."""

from __future__ import annotations

from collections.abc import Sequence

MIN_TEXTS = 1


def bleu_4(written: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU-4.

    Args:
        written: n texts.
        references: n references, one each.

    Returns:
        0 ... 100.

    Raises:
        ValueError: different lengths, or no text.
    """
    import sacrebleu

    _check(written, references)
    return float(sacrebleu.corpus_bleu(list(written), [list(references)], lowercase=True).score)


def rouge_l(written: Sequence[str], references: Sequence[str]) -> float:
    """Mean ROUGE-L F1.

    Args:
        written: n texts.
        references: n references, one each.

    Returns:
        0 ... 100.

    Raises:
        ValueError: different lengths, or no text.
    """
    from rouge_score.rouge_scorer import RougeScorer

    _check(written, references)
    scorer = RougeScorer(["rougeL"])
    values = [scorer.score(ref, text)["rougeL"].fmeasure for text, ref in zip(written, references, strict=True)]
    return 100.0 * sum(values) / len(values)


def text_table(written: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """`BLEU-4` and `ROUGE-L`."""
    return {"BLEU-4": bleu_4(written, references), "ROUGE-L": rouge_l(written, references)}


def _check(written: Sequence[str], references: Sequence[str]) -> None:
    if len(written) != len(references) or len(written) < MIN_TEXTS:
        raise ValueError(f"{len(written)} texts for {len(references)} references; give one reference per text")
