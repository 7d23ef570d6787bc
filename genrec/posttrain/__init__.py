"""Our seam on TRL: supervised rows, adapters, callbacks and the trainers of the reinforcement stages."""
