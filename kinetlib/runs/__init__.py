"""What was or may be measured: runs, designs that draw them, noise, datasets on disk."""
