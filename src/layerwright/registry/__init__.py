"""A registry client: blobs, manifests, authentication."""
