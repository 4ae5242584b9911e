"""Two to four conversations side by side: what each did, step by step, aligned by what the steps mean."""
