"""The nouns of an image: digest, reference, platform, layer, config, manifest, layout. No network."""
