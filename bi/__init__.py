"""What the business sees: questions with their SQL, the dashboard, and QuickSight made of it."""
