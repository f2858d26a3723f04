"""Where on the way from the picture file to the label does a runtime break, and what explains it?

(a) file to pixels, (b) pixels to tensor, (c) tensor to scores, (d) scores to label: each is judged by
itself, on the input that it had. `pixels`, `tensors`, `scores` and `labels` judge; `mistakes` and
`score_mistakes` try what usually goes wrong; `witness` computes a file once more; `own` judges hemline's
runtime here, `observed` any other by what it wrote down.
"""
