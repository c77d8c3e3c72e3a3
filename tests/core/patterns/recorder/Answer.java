import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import software.amazon.event.ruler.Machine;

/**
 * Asks event-ruler. A line in is a JSON array of texts: a pattern and the events to ask it of. A line
 * out is an array: one boolean for each event, or a single text, why the pattern was refused.
 */
public class Answer {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(JSON.writeValueAsString(answers(JSON.readTree(line))));
            out.flush();
        }
    }

    private static ArrayNode answers(JsonNode asked) {
        ArrayNode answers = JSON.createArrayNode();
        Machine machine = new Machine();
        try {
            machine.addRule("rule", asked.get(0).asText());
        } catch (Exception | StackOverflowError refusal) {
            return answers.add(String.valueOf(refusal.getMessage()).split("\n")[0]);
        }
        for (int i = 1; i < asked.size(); i++) {
            answers.add(fits(machine, asked.get(i).asText()));
        }
        return answers;
    }

    private static boolean fits(Machine machine, String event) {
        try {
            return !machine.rulesForJSONEvent(event).isEmpty();
        } catch (Exception refusal) {
            throw new IllegalArgumentException("not an event: " + event, refusal);
        }
    }
}
