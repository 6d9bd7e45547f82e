"""Who was erased is in no byte that is left, and no secret of the config is in any output."""
