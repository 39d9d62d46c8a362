"""The dashboard on this machine: pages with charts over the live lake or the warehouse."""
