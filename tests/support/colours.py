"""How well a colour can be read on another."""


def luminance(colour):
    """Of an sRGB colour (three numbers to 255), as the Web Content Accessibility Guidelines count it."""
    parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(ink, ground):
    """From 1 to 21; the guidelines want 4.5 for text, 3 for large text."""
    high, low = sorted([luminance(ink), luminance(ground)], reverse=True)
    return (high + 0.05) / (low + 0.05)
