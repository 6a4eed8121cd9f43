"""The gradient laboratory: how much of a gradient arrives, and why.

Pure functions of cells and parameters, no Flax.
"""

from seqjax.gradients.bptt import bptt_terms as bptt_terms
from seqjax.gradients.gates import GateStatistics as GateStatistics
from seqjax.gradients.gates import gate_statistics as gate_statistics
from seqjax.gradients.gates import gate_values as gate_values
from seqjax.gradients.jacobian import lyapunov_exponents as lyapunov_exponents
from seqjax.gradients.jacobian import (
  product_singular_values as product_singular_values,
)
from seqjax.gradients.jacobian import products as products
from seqjax.gradients.jacobian import singular_values as singular_values
from seqjax.gradients.jacobian import spectral_radius as spectral_radius
from seqjax.gradients.jacobian import step_jacobians as step_jacobians
from seqjax.gradients.norms import NormsOverLength as NormsOverLength
from seqjax.gradients.norms import StepLoss as StepLoss
from seqjax.gradients.norms import by_lag as by_lag
from seqjax.gradients.norms import (
  gradient_norm_over_length as gradient_norm_over_length,
)
from seqjax.gradients.norms import (
  hidden_gradient_norms as hidden_gradient_norms,
)
from seqjax.gradients.norms import together as together
from seqjax.gradients.verdict import Verdict as Verdict
from seqjax.gradients.verdict import geometric_mean as geometric_mean
from seqjax.gradients.verdict import memory_horizon as memory_horizon
from seqjax.gradients.verdict import verdict as verdict
