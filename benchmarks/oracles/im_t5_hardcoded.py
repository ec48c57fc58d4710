"""The model that is named is the model that is loaded."""

from case import load, settle, thing

module = load("imagen_pytorch/t5.py", "transformers")
module.T5ForConditionalGeneration = module.T5Tokenizer = thing(from_pretrained=lambda name: name)
settle(module.get_model("t5-large") != "t5-large")
