"""The kill sweep: the program dies at every commit and every step of SMTP, and is started again."""
