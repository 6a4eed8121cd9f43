"""How a cell is run over time. No Flax."""

from seqjax.recurrence.bidirectional import bidirectional as bidirectional
from seqjax.recurrence.checkpointed import Checkpointed as Checkpointed
from seqjax.recurrence.fused import Fused as Fused
from seqjax.recurrence.lengths import length_mask as length_mask
from seqjax.recurrence.scan import Scan as Scan
from seqjax.recurrence.unroll import unroll as unroll
