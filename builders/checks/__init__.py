"""What `builders.check` looks at, a module for each kind of rule."""
