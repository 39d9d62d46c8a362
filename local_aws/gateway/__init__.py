"""An HTTP API of API Gateway: its authorizer of tokens, the events that a function gets, its answers."""
