"""Lambda functions, as ``catalog/pipeline.yaml`` states them: each module has a ``handle`` that AWS calls."""
