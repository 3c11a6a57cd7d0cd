Feature: Calls
  What is called by HTTP and by an OpenAPI document, in cases of our own.

  Scenario: The content is the output
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: content, version: 1.0.0}
    do:
      - say:
          call: http
          with:
            method: post
            endpoint: https://service.test/echo?from={from}
            query: {n: 7}
            headers: {X-Ticket: "${ .ticket }"}
            body: {text: "${ .text }"}
    """
    And given the workflow input is:
    """yaml
    from: here & now
    ticket: T-1
    text: é
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    query: {from: here & now, n: "7"}
    body: {text: é}
    authorization: null
    ticket: T-1
    """

  Scenario: The response is the output, and a redirect is followed where that is asked for
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: response, version: 1.0.0}
    do:
      - ask: {call: http, with: {method: get, endpoint: {uri: https://service.test/moved}, redirect: true, output: response}}
    """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have properties 'request.method', 'request.uri', 'request.headers', 'headers'
    And the workflow output should have a 'statusCode' property with value:
    """yaml
    200
    """
    And the workflow output should have properties 'content.query'

  Scenario: A redirect that is not asked for is an error
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: redirect, version: 1.0.0}
    do:
      - ask: {call: http, with: {method: get, endpoint: https://service.test/moved, output: response}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://serverlessworkflow.io/spec/1.0.0/errors/communication
    status: 307
    instance: /do/0/ask
    """

  Scenario: A refusal is a communication error with its status, whatever the status
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: refused, version: 1.0.0}
    do:
      - guarded:
          try:
            - login:
                call: http
                with:
                  method: get
                  endpoint:
                    uri: https://httpbin.org/basic-auth/ada/lovelace
                    authentication: {basic: {username: ada, password: wrong}}
          catch:
            errors: {with: {type: https://serverlessworkflow.io/spec/1.0.0/errors/communication, status: 401}}
            do:
              - say: {set: {refused: true}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    refused: true
    """

  Scenario: An authentication is defined once and a secret holds it
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: defined, version: 1.0.0}
    use:
      secrets: [login]
      authentications: {service: {basic: {use: login}}}
    do:
      - login:
          call: http
          with:
            method: get
            endpoint: {uri: https://httpbin.org/basic-auth/ada/lovelace, authentication: {use: service}}
    """
    And the secret login is {"username": "ada", "password": "lovelace"}
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: A call is repeated as often as its policy says
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: retried, version: 1.0.0}
    do:
      - guarded:
          try:
            - find: {call: http, with: {method: get, endpoint: https://petstore.swagger.io/v2/pet/nobody}}
          catch:
            errors: {with: {status: 404}}
            retry: {delay: PT0.01S, limit: {attempt: {count: 2}}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 404
    instance: /do/0/guarded/try/0/find
    """

  Scenario: A message is sent over a channel
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: sent, version: 1.0.0}
    do:
      - say:
          call: asyncapi
          with:
            document: {endpoint: https://service.test/asyncapi.json}
            operation: say
            message: {payload: {text: hello}, headers: {X-Ticket: "7"}}
          output: {as: '${ {body, ticket} }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    body: {text: hello}
    ticket: "7"
    """

  Scenario: Messages of a channel are consumed and worked through
    Given a workflow with definition:
    """yaml
    document: {dsl: 1.0.3, namespace: tests, name: heard, version: 1.0.0}
    do:
      - hear:
          call: asyncapi
          with:
            document: {endpoint: https://service.test/asyncapi.json}
            operation: hear
            protocol: http
            subscription:
              filter: '${ .payload.room == "a" }'
              consume: {amount: 2}
              foreach: {item: message, do: [{note: {set: {text: '${ $message.payload.text }'}}}]}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    - text: one
    - text: three
    """
