import org.elasticmq.rest.sqs.SQSRestServer;
import org.elasticmq.rest.sqs.SQSRestServerBuilder;

/** Says its port on a line, and ends when its input does. */
public class Serve {
    public static void main(String[] arguments) throws Exception {
        SQSRestServer server =
            SQSRestServerBuilder.withInterface("127.0.0.1").withPort(0).start();
        System.out.println(server.waitUntilStarted().localAddress().getPort());
        System.out.flush();
        while (System.in.read() >= 0) {}
        System.exit(0);
    }
}
