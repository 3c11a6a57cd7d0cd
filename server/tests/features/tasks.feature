Feature: Tasks
  What every definition is made of, as the conformance kit of the specification has it, in cases of our own.

  Scenario: Set replaces the data
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: set, version: 1.0.0}
    do:
      - one: {set: {a: 1, b: "${ .who }"}}
      - two: {set: {c: "${ .a + 1 }", d: "${ .b }"}}
    """
    And given the workflow input is:
    """yaml
    who: ada
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    c: 2
    d: ada
    """
    And one should run first
    And two should run after one

  Scenario: A switch leads to its case
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: switch, version: 1.0.0}
    do:
      - decide:
          switch:
            - small: {when: .n < 10, then: small}
            - other: {then: large}
      - small: {set: {size: small}, then: end}
      - large: {set: {size: large}, then: end}
    """
    And given the workflow input is:
    """yaml
    n: 12
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    size: large
    """
    And decide should run first
    And large should run last

  Scenario: A loop counts
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: for, version: 1.0.0}
    do:
      - sum:
          for: {each: n, in: .numbers, at: i}
          while: $n != 3
          do:
            - add: {set: "${ {numbers, total: ((.total // 0) + $n * ($i + 1))} }"}
    """
    And given the workflow input is:
    """yaml
    numbers: [1, 2, 3, 4]
    """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'total' property with value:
    """yaml
    5
    """
    And the workflow output should have a 'numbers' property containing 4 items

  Scenario: Branches give their outputs in order
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: fork, version: 1.0.0}
    do:
      - both:
          fork:
            branches:
              - slow: {do: [{pause: {wait: PT0.1S}}, {a: {set: {from: slow}}}]}
              - quick: {set: {from: quick}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    - from: slow
    - from: quick
    """

  Scenario: The winner of a race is the output, and the loser is cancelled
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: race, version: 1.0.0}
    do:
      - race:
          fork:
            compete: true
            branches:
              - never: {wait: P1D}
              - quick: {set: {from: quick}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    from: quick
    """
    And never should cancel
    And quick should complete

  Scenario: An error that nobody catches faults the run
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: raise, version: 1.0.0}
    do:
      - break: {raise: {error: {type: https://tests.example/broken, status: 422, title: Broken, detail: "${ .why }"}}}
    """
    And given the workflow input is:
    """yaml
    why: no reason
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://tests.example/broken
    status: 422
    title: Broken
    detail: no reason
    instance: /do/0/break
    """
    And break should fault

  Scenario: A task that takes too long times out and can be caught
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: timeout, version: 1.0.0}
    do:
      - guarded:
          try:
            - slow: {wait: P1D, timeout: {after: PT0.1S}}
          catch:
            errors: {with: {type: https://serverlessworkflow.io/spec/1.0.0/errors/timeout}}
            as: problem
            do:
              - say: {set: {status: "${ $problem.status }", at: "${ $problem.instance }"}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    status: 408
    at: /do/0/guarded/try/0/slow
    """
