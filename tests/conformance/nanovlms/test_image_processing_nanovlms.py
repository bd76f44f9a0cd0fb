"""transformers' common image-processor tests on ours."""

import unittest

from transformers_tests.test_image_processing_common import ImageProcessingTester, ImageProcessingTestMixin

from nanovlms_hf import NanoVLMsImageProcessor


class NanoVLMsImageProcessingTester(ImageProcessingTester):
    def __init__(self, parent, **kwargs):
        kwargs.setdefault("size", {"height": 20, "width": 20})
        kwargs.setdefault("do_normalize", True)
        super().__init__(parent, **kwargs)

    def _get_image_processing_classes(self):
        return {"pil": NanoVLMsImageProcessor}


class NanoVLMsImageProcessingTest(ImageProcessingTestMixin, unittest.TestCase):
    image_processor_tester_class = NanoVLMsImageProcessingTester

    @unittest.skip("a rule for models inside transformers; this package works without torchvision")
    def test_new_models_require_torchvision_backend(self):
        pass


class TwoViewsImageProcessingTester(NanoVLMsImageProcessingTester):
    def __init__(self, parent, **kwargs):
        kwargs.setdefault("high_res_size", {"height": 40, "width": 40})
        super().__init__(parent, **kwargs)


class TwoViewsImageProcessingTest(NanoVLMsImageProcessingTest):
    """With a second view for a vision vocabulary."""

    image_processor_tester_class = TwoViewsImageProcessingTester
