"""Sources: the outside world → Batch. Fetching and parsing are separate; parsing takes bytes."""
