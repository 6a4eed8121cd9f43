"""How a cell is run over time. No Flax."""

from seqjax.recurrence.associative import Associative as Associative
from seqjax.recurrence.auto import Auto as Auto
from seqjax.recurrence.bidirectional import bidirectional as bidirectional
from seqjax.recurrence.checkpointed import Checkpointed as Checkpointed
from seqjax.recurrence.cudnn import Cudnn as Cudnn
from seqjax.recurrence.fused import Fused as Fused
from seqjax.recurrence.linear_scan import linear_scan as linear_scan
from seqjax.recurrence.masks import length_mask as length_mask
from seqjax.recurrence.masks import reverse_rows as reverse_rows
from seqjax.recurrence.newton import Newton as Newton
from seqjax.recurrence.newton import NewtonReport as NewtonReport
from seqjax.recurrence.newton import newton_report as newton_report
from seqjax.recurrence.pallas import Pallas as Pallas
from seqjax.recurrence.quadratic import Quadratic as Quadratic
from seqjax.recurrence.scan import Scan as Scan
from seqjax.recurrence.truncated import Truncated as Truncated
from seqjax.recurrence.truncated import truncated_unroll as truncated_unroll
from seqjax.recurrence.unroll import unroll as unroll
