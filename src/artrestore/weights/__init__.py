"""What weights there are and where they come from: names, manifests, the cache, and fetching.

    references    what `--weights` may be: a name, a file, an address, a file of the hub
    entries       what is known of weights before they are opened; manifests, which list them
    cache         the folder of what was fetched, with a record beside each file
    catalogue     what every name stands for: bundled, cached, or listed in a manifest
    fetching      one file from its mirrors: resuming, backing off, checked; `http` and `hub` are the two ways
    finding       all of it together: from what the user typed to a file on the disk

The bundled weights and the package's own manifest lie here, too. PyTorch is not needed for any of this.
"""
