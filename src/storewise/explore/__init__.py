"""Trying things without losing money: bandit policies, and what logged decisions say of other policies. The table
below registers policies."""

COMPONENTS: dict[str, str] = {
    "explore.cascade_thompson.v1": "storewise.explore.thompson:CascadeThompson",
    "explore.cascade_ucb.v1": "storewise.explore.ucb:CascadeUcb",
    "explore.epsilon_greedy.v1": "storewise.explore.epsilon_greedy:EpsilonGreedy",
    "explore.linear_thompson.v1": "storewise.explore.linear_thompson:LinearThompson",
    "explore.linucb.v1": "storewise.explore.linucb:LinUcb",
    "explore.neural_linear.v1": "storewise.explore.neural_linear:NeuralLinear",
    "explore.position_thompson.v1": "storewise.explore.thompson:PositionThompson",
    "explore.slate_thompson.v1": "storewise.explore.slate_thompson:SlateThompson",
    "explore.thompson_beta.v1": "storewise.explore.thompson:ThompsonBeta",
    "explore.thompson_gaussian.v1": "storewise.explore.thompson:ThompsonGaussian",
    "explore.ucb1.v1": "storewise.explore.ucb:Ucb1",
}
