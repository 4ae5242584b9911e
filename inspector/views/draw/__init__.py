"""Pictures for slides and pages, without a screen: a ladder or a header as text, SVG, HTML or Mermaid."""
