"""Other answers to the same prompts: the undefended model and the defences that CASA is compared with."""
