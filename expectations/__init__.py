"""What is expected of a captured row: rules from contracts and from the business, and the verdict by them."""
