"""What is installed beside our own code: which packages, by which hashes, under which licences."""
