"""transformers' common processor tests on ours."""

import unittest

from transformers_tests.test_processing_common import ProcessorTesterMixin

from nanovlms_hf import NanoVLMsImageProcessor, NanoVLMsProcessor
from nanovlms_hf.tokenization import train_tokenizer


class NanoVLMsProcessingTest(ProcessorTesterMixin, unittest.TestCase):
    processor_class = NanoVLMsProcessor

    @classmethod
    def _setup_tokenizer(cls):
        return train_tokenizer(["lower newer upper older longer string dummy", "What is shown in this image?"], 300)

    @classmethod
    def _setup_image_processor(cls):
        return NanoVLMsImageProcessor(size={"height": 16, "width": 16})

    @staticmethod
    def prepare_processor_dict():
        return {"image_seq_length": 4}


class TwoViewsProcessingTest(NanoVLMsProcessingTest):
    """With a second view for a vision vocabulary."""

    @classmethod
    def _setup_image_processor(cls):
        return NanoVLMsImageProcessor(
            size={"height": 16, "width": 16},
            high_res_size={"height": 32, "width": 32},
            high_res_image_mean=[0.5, 0.5, 0.5],
            high_res_image_std=[0.5, 0.5, 0.5],
        )
