"""Who acts in the lab besides people in a browser: tokens today; campaigns and the research loop later."""
