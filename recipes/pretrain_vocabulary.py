"""Stage 1: pretrains a vision vocabulary by having a small decoder write out text and boxes.

accelerate launch recipes/pretrain_vocabulary.py --config recipes/vary-nano/1_vocabulary.yaml [--any_key value]
"""

from nanovlms_hf.vocabulary import main

if __name__ == "__main__":
    main()
