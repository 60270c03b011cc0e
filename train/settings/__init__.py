"""What is trained and how: recipes, and the same in the words of TRL and PEFT."""
