"""What the jobs cost, measured on this machine beside other ways of doing the same."""
