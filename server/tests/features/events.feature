Feature: Events
  What a run emits and listens to, in cases of our own.

  Scenario: An event is emitted and heard by the run itself
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: self, version: 1.0.0}
    do:
      - say: {emit: {event: {with: {source: /tests, type: tests.said, data: {word: "${ .word }"}}}}}
      - hear: {listen: {to: {one: {with: {type: tests.said}}}}}
    """
    And given the workflow input is:
    """yaml
    word: hello
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    - word: hello
    """
    And the emitted types should be:
    """yaml
    [tests.said]
    """

  Scenario: Events are kept for listeners that come later, and each listener gets the next one
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: later, version: 1.0.0}
    do:
      - second: {listen: {to: {one: {with: {type: tests.second}}}}, output: {as: ".[0]"}, export: {as: "[.]"}}
      - each:
          for: {in: "[1, 2]"}
          do:
            - first:
                listen: {to: {one: {with: {type: tests.first}}}}
                output: {as: ".[0]"}
                export: {as: "$context + [.]"}
      - all: {set: {seen: "${ $context }"}}
    """
    And the events are:
    """json
    [
      {"specversion": "1.0", "id": "1", "source": "/t", "type": "tests.first", "data": 1},
      {"specversion": "1.0", "id": "2", "source": "/t", "type": "tests.other", "data": 9},
      {"specversion": "1.0", "id": "3", "source": "/t", "type": "tests.second", "data": 2},
      {"specversion": "1.0", "id": "4", "source": "/t", "type": "tests.first", "data": 3}
    ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    seen: [2, 1, 3]
    """

  Scenario: Two listeners at once hear the same event
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: both, version: 1.0.0}
    do:
      - both:
          fork:
            branches:
              - left: {listen: {to: {one: {with: {type: tests.said}}}}}
              - right: {listen: {to: {one: {with: {type: tests.said}}}}}
    """
    And the events are:
    """json
    [{"specversion": "1.0", "id": "1", "source": "/t", "type": "tests.said", "data": 1}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    - [1]
    - [1]
    """

  Scenario: A workflow that is run hears what the one around it says, and the other way round
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: outer, version: 1.0.0}
    do:
      - both:
          fork:
            branches:
              - inner: {run: {workflow: {namespace: tests, name: inner, version: latest}}}
              - outer:
                  do:
                    - ask: {emit: {event: {with: {source: /outer, type: tests.question}}}}
                    - hear: {listen: {to: {one: {with: {type: tests.answer}}}}}
    """
    And a workflow beside it with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: inner, version: 1.0.0}
    do:
      - hear: {listen: {to: {one: {with: {type: tests.question}}}}}
      - answer: {emit: {event: {with: {source: /inner, type: tests.answer, data: 42}}}}
      - done: {set: {inner: done}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    - inner: done
    - [42]
    """
    And the emitted types should be:
    """yaml
    [tests.question, tests.answer]
    """
