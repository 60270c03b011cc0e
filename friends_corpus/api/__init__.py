"""What `import friends_corpus` offers to a notebook: pages in; episodes, scenes, lines and pairs out."""
