"""The lessons on the screen: their map, and words beside the panes of the workbench."""
