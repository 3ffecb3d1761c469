"""casa-nano's audio tower: Whisper tiny.en's encoder, its end trained to give the language model's own embeddings."""
