// Serves local-aws-sqs on 127.0.0.1 and the port PORT; NODE_PATH leads to the package.
"use strict";

const { createSqsServer } = require("local-aws-sqs");

createSqsServer({
  port: Number(process.env.PORT),
  hostname: "127.0.0.1",
  emulateQueueCreationLifecycle: true,
});
