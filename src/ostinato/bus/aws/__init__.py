"""What the buses of AWS share.

clients   one service of AWS, as the settings of a bus say     batches  sending in lots, in order
troubles  what AWS answers, as errors that say how to mend it  written  a message as AWS takes it
"""
