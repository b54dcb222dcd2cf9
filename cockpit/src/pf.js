// The components of PatternFly that the page is made of, one by one: with the whole of it comes the style of each of the others.
export { Alert, AlertActionCloseButton } from "@patternfly/react-core/dist/esm/components/Alert";
export { Button } from "@patternfly/react-core/dist/esm/components/Button";
export { Card, CardBody, CardHeader, CardTitle } from "@patternfly/react-core/dist/esm/components/Card";
export { Checkbox } from "@patternfly/react-core/dist/esm/components/Checkbox";
export {
    DescriptionList, DescriptionListDescription, DescriptionListGroup, DescriptionListTerm,
} from "@patternfly/react-core/dist/esm/components/DescriptionList";
export { EmptyState, EmptyStateBody } from "@patternfly/react-core/dist/esm/components/EmptyState";
export { ExpandableSection } from "@patternfly/react-core/dist/esm/components/ExpandableSection";
export { Form, FormGroup, FormHelperText } from "@patternfly/react-core/dist/esm/components/Form";
export { FormSelect, FormSelectOption, FormSelectOptionGroup } from "@patternfly/react-core/dist/esm/components/FormSelect";
export { HelperText, HelperTextItem } from "@patternfly/react-core/dist/esm/components/HelperText";
export { Label } from "@patternfly/react-core/dist/esm/components/Label";
export { List, ListItem } from "@patternfly/react-core/dist/esm/components/List";
export { Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core/dist/esm/components/Modal";
export { Page, PageSection } from "@patternfly/react-core/dist/esm/components/Page";
export { Progress } from "@patternfly/react-core/dist/esm/components/Progress";
export { Spinner } from "@patternfly/react-core/dist/esm/components/Spinner";
export { Tab, TabContent, TabContentBody, TabTitleText, Tabs } from "@patternfly/react-core/dist/esm/components/Tabs";
export { TextInput } from "@patternfly/react-core/dist/esm/components/TextInput";
export { Title } from "@patternfly/react-core/dist/esm/components/Title";
export { Tooltip } from "@patternfly/react-core/dist/esm/components/Tooltip";
export { Flex } from "@patternfly/react-core/dist/esm/layouts/Flex";
export { Gallery } from "@patternfly/react-core/dist/esm/layouts/Gallery";
import "@patternfly/react-styles/css/components/Table/table.css";
import "@patternfly/react-styles/css/components/Table/table-grid.css";
