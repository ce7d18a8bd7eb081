import java.io.IOException;
import java.io.OutputStream;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One OpenSearch node, from its start until standard input is closed. */
class SearchNode {
    /**
     * Runs the node.
     *
     * @param arguments the directory of its data, then its settings, each as name=value
     */
    public static void main(String[] arguments) {
        var runner = new OpenSearchRunner();
        // From the first moment on: whoever starts the node may be gone before it is up.
        new Thread(() -> endWithInput(runner), "end-with-input").start();
        // The port is given: nothing is to be looked for.
        runner.setMaxHttpPort(-1);
        runner.onBuild((number, settings) -> {
            for (int index = 1; index < arguments.length; index++) {
                var setting = arguments[index].split("=", 2);
                settings.put(setting[0], setting[1]);
            }
        });
        try {
            runner.build(OpenSearchRunner.newConfigs().basePath(arguments[0]).numOfNode(1));
        } catch (Throwable error) {
            error.printStackTrace();
            // Once more without the traces: the end of the log is what is shown.
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                System.err.println(cause);
            }
            // Threads of a node that is half up would keep the process alive.
            Runtime.getRuntime().halt(1);
        }
    }

    private static void endWithInput(OpenSearchRunner runner) {
        try {
            System.in.transferTo(OutputStream.nullOutputStream());
            runner.close();
        } catch (IOException error) {
            error.printStackTrace();
        } finally {
            Runtime.getRuntime().halt(0);
        }
    }
}
